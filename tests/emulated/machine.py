"""Owns: a machine that Bochs emulates: its memory, its firmware and one boot that runs programs under Linux.

Bochs 2.7, as Debian 12 has it, knows AVX-512 F, CD, BW, DQ and VL with its model of a Skylake-X; of its other models
with AVX-512 none boots.
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

MEMORY = 512 << 20
IMAGE = 0x100000
# Above the 16 to 70 MiB into which the kernel unpacks itself.
PARAMS = 0x4F00000
COMMAND_LINE = 0x4F10000
INITRAMFS = 0x5000000

# Bochs tells a wrong size for the compacted layouts of XSAVE, whereupon Linux would give up AVX altogether. Without the
# console's speed each character costs a millisecond, without cryptomgr.notests the kernel tests its ciphers for longer
# than it boots.
KERNEL_OPTIONS = ("console=ttyS0,115200 quiet nokaslr mitigations=off acpi=off pci=off cryptomgr.notests rdinit=/init "
                  "panic=-1")
WITHOUT = ("xsaves", "xsavec")

# One file serves as both ROMs, which must both exist. The display "term" needs neither a screen nor a port.
CONFIGURATION = """\
display_library: term
plugin_ctrl: unmapped=1, serial=1, speaker=0, parallel=0, gameport=0, iodebug=0
memory: guest={mebibytes}, host={mebibytes}
romimage: file=firmware.rom
vgaromimage: file=firmware.rom
optramimage1: file=memory.img, address={image:#x}
cpu: model=corei7_skylake_x, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=utc
pci: enabled=0
vga: extension=none
com1: enabled=1, mode=file, dev=serial.txt
floppya: type=none
ata0: enabled=0
ata1: enabled=0
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""


class Failure(Exception):
    """The machine did not come to its end."""


def lacking():
    """What this computer needs before it can emulate the machine, or nothing."""
    for tool, package in (("bochs-bin", "bochs and bochs-term"), ("gcc", "gcc"), ("objcopy", "binutils")):
        if shutil.which(tool) is None:
            return f"{tool} is not here; install {package}"
    return ""


def archive(files):
    """{name: (mode, bytes)} as cpio's newc format."""
    out = bytearray()
    for number, (name, (mode, content)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))]):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def initramfs(init, commands):
    """The first process, the programs with the libraries that ldd lists, and the commands, one in each line."""
    files = {name: (0o40755, b"") for name in ("proc", "sys", "dev", "tmp", "run")}

    def add(name, path):
        for parent in reversed(pathlib.PurePosixPath(name).parents[:-1]):
            files.setdefault(str(parent), (0o40755, b""))
        files[name] = (0o100755, pathlib.Path(path).read_bytes())

    add("init", init)
    lines = []
    for program, *arguments in commands:
        inside = f"run/{pathlib.Path(program).name}"
        add(inside, program)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            add(library[1:], library)
        lines.append(" ".join([f"/{inside}", *arguments]) + "\n")
    files["commands"] = (0o100644, "".join(lines).encode())
    return archive(files)


def memory_image(kernel, options, ramfs):
    """Memory from IMAGE on, as Linux's boot protocol wants it: the kernel, its parameters, its options, its files."""
    setup = ((kernel[0x1F1] or 4) + 1) * 512
    params = bytearray(4096)
    end = 0x202 + kernel[0x201]
    params[0x1F1:end] = kernel[0x1F1:end]
    params[0x210] = 0xFF  # a boot loader without a number of its own
    struct.pack_into("<II", params, 0x218, INITRAMFS, len(ramfs))
    struct.pack_into("<I", params, 0x228, COMMAND_LINE)
    usable = [(0, 0x9F000), (IMAGE, MEMORY - IMAGE)]
    params[0x1E8] = len(usable)
    for index, (start, size) in enumerate(usable):
        struct.pack_into("<QQI", params, 0x2D0 + 20 * index, start, size, 1)
    image = bytearray(-(-(INITRAMFS - IMAGE + len(ramfs)) // 4096) * 4096)
    for address, content in ((IMAGE, kernel[setup:]), (PARAMS, bytes(params)), (COMMAND_LINE, options.encode()),
                             (INITRAMFS, ramfs)):
        image[address - IMAGE:address - IMAGE + len(content)] = content
    return bytes(image)


def run(commands, kernel, work, options="", without=(), minutes=30):
    """Boots once and runs the commands in turn, which may hold no spaces: [(exit code, output)]."""
    work = pathlib.Path(work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", work / "init", HERE / "init.c"], check=True)
    line = f"{KERNEL_OPTIONS} clearcpuid={','.join([*WITHOUT, *without])} {options}"
    image = memory_image(pathlib.Path(kernel).read_bytes(), line, initramfs(work / "init", commands))
    (work / "memory.img").write_bytes(image)
    symbols = {"IMAGE": IMAGE, "PARAMS": PARAMS, "PAGES": len(image) // 4096}
    subprocess.run(["gcc", "-c", HERE / "firmware.S", "-o", work / "firmware.o",
                    *(f"-Wa,--defsym,{name}={value}" for name, value in symbols.items())], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", work / "firmware.o", work / "firmware.rom"], check=True)
    (work / "bochsrc").write_text(CONFIGURATION.format(mebibytes=MEMORY >> 20, image=IMAGE), encoding="ascii")
    # Debian's build begins in its debugger.
    (work / "debugger").write_text("continue\nquit\n", encoding="ascii")
    (work / "serial.txt").unlink(missing_ok=True)
    late = ""
    with open(work / "bochs.out", "wb") as out:
        try:
            # Its exit code tells nothing. Past the time-out it is killed, since it does not heed SIGTERM.
            subprocess.run(["bochs-bin", "-q", "-f", "bochsrc", "-rc", "debugger"], cwd=work, check=False,
                           env={**os.environ, "TERM": "vt100"}, stdin=subprocess.DEVNULL, stdout=out,
                           stderr=subprocess.STDOUT, timeout=60 * minutes)
        except subprocess.TimeoutExpired:
            late = f" within {minutes} minutes"
    (work / "memory.img").unlink()
    serial = work / "serial.txt"
    said = serial.read_text(encoding="utf-8", errors="replace").replace("\r", "") if serial.exists() else ""
    parts = re.split(r"^guest: exit (\d+)\n", said, flags=re.MULTILINE)
    results = [(int(code), output) for output, code in zip(parts[0::2], parts[1::2])]
    if "guest: done" not in parts[-1] or len(results) != len(commands):
        raise Failure(f"the emulated machine did not come to its end{late}; {work} holds its logs; it said:\n{said}")
    return results
