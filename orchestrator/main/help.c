// --help and the man page, from the table of commands.
#include "main/commands.h"

#include "base/str.h"

#include <string.h>

static const char ABOUT[] = "baton coordinates agents that make software faster";

static const char TEXT[] = "A run takes a project through a chain of stages (reviewer -> performance engineer -> "
                           "developer -> performance engineer -> "
                           "reviewer). Each stage is done by a native worker under the tools its agent file allows. "
                           "What measures better becomes a "
                           "branch; nothing else of the project is touched.";

static const char EXIT_STATUS[] =
    "0 improved or already optimal, 1 rejected by the evidence, 2 wrong usage or input, 3 needs discussion, 4 nothing "
    "measurable, "
    "5 failed, 6 denied by the policy, 7 timed out, 8 cancelled, 70 a bug in baton, 130 interrupted (can be resumed).";

static void write_wrapped(FILE *out, const char *text, unsigned indent, unsigned width)
{
    unsigned column = 0;
    for (const char *p = text; *p;) {
        while (*p == ' ')
            p++;
        size_t n = strcspn(p, " \n");
        if (column && column + n + 1 > width) {
            fputc('\n', out);
            column = 0;
        }
        if (n) {
            fprintf(out, "%*s%.*s", column ? 1 : (int)indent, "", (int)n, p);
            column += (unsigned)n + (column ? 1 : indent);
        }
        p += n;
        if (*p == '\n') {
            fputc('\n', out);
            column = 0;
            p++;
        }
    }
    if (column)
        fputc('\n', out);
}

static void write_options(FILE *out, const struct cli_option *list)
{
    for (const struct cli_option *o = list; o && o->name; o++) {
        char left[80];
        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ", " : "  ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(out, "  %-28s %s\n", left, o->about);
    }
}

static void write_command(FILE *out, const struct cli_command *c)
{
    fprintf(out, "usage: baton %s%s%s%s%s\n\n", c->name, c->options ? " [OPTIONS]" : "", c->arguments ? " " : "",
            c->arguments ? c->arguments : "", "");
    write_wrapped(out, c->about, 0, 100);
    if (c->text) {
        fputc('\n', out);
        write_wrapped(out, c->text, 0, 100);
    }
    fputs("\noptions:\n", out);
    write_options(out, c->options);
    fputs("  -h, --help                   this text\n", out);
    if (c->examples && c->examples[0]) {
        fputs("\nexamples:\n", out);
        for (const char *const *e = c->examples; *e; e++)
            fprintf(out, "  %s\n", *e);
    }
}

void cli_write_help(FILE *out, const struct cli_command *command)
{
    if (command) {
        write_command(out, command);
        return;
    }
    fprintf(out, "%s\n\nusage: baton COMMAND [OPTIONS] [ARGUMENTS]\n\n", ABOUT);
    write_wrapped(out, TEXT, 0, 100);
    fputs("\ncommands:\n", out);
    for (const struct cli_command *c = CLI_COMMANDS; c->name; c++)
        fprintf(out, "  %-18s %s\n", c->name, c->about);
    fputs("\nbegin here:\n  baton tune DIR             make the Rust project in DIR faster\n"
          "  baton COMMAND --help       options and examples of a command\n"
          "\nenvironment:\n"
          "  BATON_STATE                folder of journal and artifacts (default: $XDG_STATE_HOME/baton or "
          "~/.local/state/baton)\n"
          "  BATON_DATA                 folder of workflows and agent files that ship (default: found from where the "
          "program lies)\n"
          "  BATON_LOG                  error, warn, info or debug on standard error (default: warn)\n"
          "  CURL_CA_BUNDLE             certificates of authorities, for notifications over https (default: those of "
          "the machine)\n"
          "\nexit status:\n",
          out);
    write_wrapped(out, EXIT_STATUS, 2, 100);
}

// --- man page ---

static void roff(FILE *out, const char *text)
{
    bool line_start = true;
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            fputs("\\&", out);
        if (*p == '\\')
            fputs("\\e", out);
        else if (*p == '-')
            fputs("\\-", out);
        else
            fputc(*p, out);
        line_start = *p == '\n';
    }
}

static void man_command(FILE *out, const struct cli_command *c)
{
    fputs(".SS baton ", out);
    roff(out, c->name);
    fprintf(out, "%s", c->arguments ? " " : "");
    roff(out, c->arguments ? c->arguments : "");
    fputs("\n", out);
    roff(out, c->about);
    fputs(".\n", out);
    if (c->text) {
        fputs(".PP\n", out);
        roff(out, c->text);
        fputc('\n', out);
    }
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        fprintf(out, ".TP\n\\fB\\-\\-");
        roff(out, o->name);
        fprintf(out, "\\fR%s", o->argument ? " " : "");
        roff(out, o->argument ? o->argument : "");
        fputc('\n', out);
        roff(out, o->about);
        fputc('\n', out);
    }
    for (const char *const *e = c->examples; e && *e; e++) {
        fputs(".PP\n.nf\n", out);
        roff(out, *e);
        fputs("\n.fi\n", out);
    }
}

static void write_man(FILE *out)
{
    fprintf(out, ".TH BATON 1 \"\" \"baton %s\"\n.SH NAME\nbaton \\- ", BATON_VERSION);
    roff(out, ABOUT + strlen("baton "));
    fputs("\n.SH SYNOPSIS\n.B baton\nCOMMAND [OPTIONS] [ARGUMENTS]\n.SH DESCRIPTION\n", out);
    roff(out, TEXT);
    fputs("\n.SH COMMANDS\n", out);
    for (const struct cli_command *c = CLI_COMMANDS; c->name; c++)
        man_command(out, c);
    fprintf(out, ".SH EXIT STATUS\n%s\n", EXIT_STATUS);
}

int cmd_help(const struct cli *cli)
{
    if (cli_flag(cli, "man")) {
        write_man(stdout);
        return 0;
    }
    const char *first = cli_arg(cli, 0), *second = cli_arg(cli, 1);
    char name[128];
    snprintf(name, sizeof(name), "%s%s%s", first ? first : "", second ? " " : "", second ? second : "");
    for (const struct cli_command *c = CLI_COMMANDS; first && c->name; c++) {
        if (str_eq(c->name, name)) {
            cli_write_help(stdout, c);
            return 0;
        }
    }
    if (first && !second && cli_write_group(stdout, first))
        return 0;
    if (first) {
        fprintf(stderr, "baton: unknown command '%s'; see 'baton --help'\n", name);
        return 2;
    }
    cli_write_help(stdout, NULL);
    return 0;
}
