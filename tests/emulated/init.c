/* Owns: the first process of the emulated machine: runs each line of /commands and says how it ended, then switches the
   machine off. Links statically, since the machine has only the libraries of the programs under test. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { most_words = 64, power_port = 0x8900 };

static int run(char **words) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    execv(words[0], words);
    perror(words[0]);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void) {
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sys", "/sys", "sysfs", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("tmp", "/tmp", "tmpfs", 0, NULL);
  setenv("SLUICE_BRIEF_TESTS", "1", 1);
  FILE *commands = fopen("/commands", "r");
  char line[4096];
  while (commands != NULL && fgets(line, sizeof line, commands) != NULL) {
    char *words[most_words + 1] = {NULL};
    int count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && count < most_words; word = strtok(NULL, " \n"))
      words[count++] = word;
    if (count > 0) printf("guest: exit %d\n", run(words));
  }
  printf("guest: done\n");
  fflush(stdout);
  tcdrain(STDOUT_FILENO);
  /* There is no ACPI. Bochs ends when this word is written to its port, a byte at a time. */
  if (ioperm(power_port, 1, 1) != 0) perror("ioperm");
  for (const char *letter = "Shutdown"; *letter != '\0'; ++letter) outb(*letter, power_port);
  for (;;) pause();
}
