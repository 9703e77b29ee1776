// Sorts a table by the column whose heading is pressed; a second press turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value;
      const rows = [...table.tBodies[0].rows].sort((one, other) =>
        key(one).localeCompare(key(other), "en", { numeric: false }));
      if (heading.classList.contains("number")) rows.sort((one, other) => Number(key(one)) - Number(key(other)));
      table.tBodies[0].append(...(descending ? rows.reverse() : rows));
    });
  });
}
// A link into a closed section opens it; printing opens all of them.
const reveal = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const section = target && target.closest("details");
  if (section) {
    section.open = true;
    target.scrollIntoView({ block: "center" });
  }
};
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => {
  document.querySelectorAll("details.print").forEach((part) => { part.open = true; });
});
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const command = button.parentElement.querySelector("pre");
    const chosen = document.createRange();
    chosen.selectNodeContents(command);
    getSelection().removeAllRanges();
    getSelection().addRange(chosen);
    // Where the clipboard is refused the command stays selected.
    if (navigator.clipboard) {
      navigator.clipboard.writeText(command.textContent).then(() => { button.textContent = "copied"; }, () => {});
    }
  });
}
