#include "main/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

struct given {
    const struct cli_option *option;
    const char *value;
};

struct cli {
    const struct cli_command *command;
    VEC(struct given) options;
    VEC(const char *) args;
    size_t plain; // of them, before a lone "--"
    VEC(const char **) lists; // given out by cli_values
};

static const struct cli_option COMMON[] = {{"help", 'h', NULL, false, "this text"}, {0}};

// --- lookup ---

static size_t word_count(const char *name)
{
    return strchr(name, ' ') ? 2 : 1;
}

static bool names(const struct cli_command *c, const char *first, const char *second)
{
    if (word_count(c->name) == 1)
        return str_eq(c->name, first);
    size_t n = strcspn(c->name, " ");
    return strlen(first) == n && memcmp(c->name, first, n) == 0 && second && str_eq(c->name + n + 1, second);
}

static const struct cli_command *find_command(const char *first, const char *second)
{
    for (const struct cli_command *c = CLI_COMMANDS; c->name; c++)
        if (names(c, first, second))
            return c;
    return NULL;
}

bool cli_write_group(FILE *out, const char *first)
{
    bool any = false;
    for (const struct cli_command *c = CLI_COMMANDS; c->name; c++) {
        if (word_count(c->name) != 2 || strlen(first) != strcspn(c->name, " ") || !str_starts(c->name, first))
            continue;
        fprintf(out, "  baton %s%s%s\n      %s\n", c->name, c->arguments ? " " : "", c->arguments ? c->arguments : "",
                c->about);
        any = true;
    }
    return any;
}

static const struct cli_option *find_in(const struct cli_option *list, const char *name, size_t len, char letter)
{
    for (const struct cli_option *o = list; o && o->name; o++)
        if (letter ? o->letter == letter : strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct cli_option *find_option(const struct cli *cli, const char *name, size_t len, char letter)
{
    const struct cli_option *o = find_in(cli->command->options, name, len, letter);
    return o ? o : find_in(COMMON, name, len, letter);
}

// --- parsing ---

static int usage(const struct cli *cli, const char *fmt, const char *what)
{
    fputs("baton: ", stderr);
    char line[512];
    snprintf(line, sizeof(line), "%s", fmt);
    char *at = strstr(line, "%s");
    if (at)
        fprintf(stderr, "%.*s%s%s", (int)(at - line), line, what, at + 2);
    else
        fputs(line, stderr);
    fprintf(stderr, "; see 'baton %s%s--help'\n", cli->command ? cli->command->name : "", cli->command ? " " : "");
    return 2;
}

static int parse_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *equals = NULL, *glued = NULL;
    const struct cli_option *o;
    if (word[1] == '-') {
        equals = strchr(word, '=');
        o = find_option(cli, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2), 0);
    } else {
        o = find_option(cli, NULL, 0, word[1]);
        if (o && word[2] && !o->argument) // "-qx": flags stand alone
            o = NULL;
        glued = o && word[2] ? word + 2 : NULL; // "-n1"
    }
    if (!o)
        return usage(cli, "unknown option '%s'", word);
    const char *value = NULL;
    if (o->argument && equals)
        value = equals + 1;
    else if (o->argument && glued)
        value = glued;
    else if (o->argument && *at + 1 < argc)
        value = argv[++*at];
    else if (o->argument)
        return usage(cli, "option '--%s' needs a value", o->name);
    else if (equals)
        return usage(cli, "option '--%s' takes no value", o->name);
    vec_push(&cli->options, (struct given){o, value});
    return 0;
}

// A lone "--" ends the options; what follows are arguments.
static int parse(struct cli *cli, int argc, char **argv, int at)
{
    bool options = true;
    for (; at < argc; at++) {
        if (options && str_eq(argv[at], "--")) {
            options = false;
            cli->plain = cli->args.len;
        } else if (options && argv[at][0] == '-' && argv[at][1]) {
            int r = parse_option(cli, argc, argv, &at);
            if (r)
                return r;
        } else {
            vec_push(&cli->args, argv[at]);
        }
    }
    if (options)
        cli->plain = cli->args.len;
    return 0;
}

static int check_args(const struct cli *cli)
{
    const struct cli_command *c = cli->command;
    size_t most = c->arguments ? (c->most ? c->most : (size_t)-1) : 0;
    if (cli->args.len < c->least)
        return usage(cli, "missing argument: %s", c->arguments);
    if (cli->args.len > most)
        return usage(cli, "unexpected argument '%s'", cli->args.items[most]);
    return 0;
}

static void release(struct cli *cli)
{
    for (size_t i = 0; i < cli->lists.len; i++)
        mem_free(cli->lists.items[i]);
    vec_free(&cli->lists);
    vec_free(&cli->options);
    vec_free(&cli->args);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {0};
    if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
        cli_write_help(argc < 2 ? stderr : stdout, NULL);
        return argc < 2 ? 2 : 0;
    }
    if (str_eq(argv[1], "--version")) {
        printf("baton %s\n", BATON_VERSION);
        return 0;
    }
    cli.command = find_command(argv[1], argc > 2 ? argv[2] : NULL);
    bool asked = argc > 2 && (str_eq(argv[2], "--help") || str_eq(argv[2], "-h"));
    if (!cli.command && cli_write_group(asked ? stdout : stderr, argv[1]))
        return asked ? 0 : 2;
    if (!cli.command)
        return usage(&cli, "unknown command '%s'", argv[1]);
    int r = parse(&cli, argc, argv, 1 + (int)word_count(cli.command->name));
    if (r == 0 && cli_flag(&cli, "help"))
        cli_write_help(stdout, cli.command);
    else if (r == 0 && (r = check_args(&cli)) == 0)
        r = cli.command->run(&cli);
    release(&cli);
    return r;
}

// --- access ---

bool cli_flag(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->options.len; i++)
        if (str_eq(cli->options.items[i].option->name, name))
            return true;
    return false;
}

const char *cli_value(const struct cli *cli, const char *name, const char *def)
{
    const char *value = def;
    for (size_t i = 0; i < cli->options.len; i++)
        if (str_eq(cli->options.items[i].option->name, name))
            value = cli->options.items[i].value;
    return value;
}

const char *const *cli_values(const struct cli *cli, const char *name)
{
    VEC(const char *) list = {0};
    for (size_t i = 0; i < cli->options.len; i++)
        if (str_eq(cli->options.items[i].option->name, name))
            vec_push(&list, cli->options.items[i].value);
    vec_push(&list, NULL);
    struct cli *owner = (struct cli *)(uintptr_t)cli; // freed with the command line
    vec_push(&owner->lists, list.items);
    return list.items;
}

size_t cli_arg_count(const struct cli *cli)
{
    return cli->args.len;
}

const char *cli_arg(const struct cli *cli, size_t i)
{
    return i < cli->args.len ? cli->args.items[i] : NULL;
}

size_t cli_plain_count(const struct cli *cli)
{
    return cli->plain;
}

int cli_fail(const struct err *err)
{
    fprintf(stderr, "baton: %s\n", err->text);
    return err_exit_status(err->code);
}
