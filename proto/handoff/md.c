// Readers find the structure at column 0: `## Heading` and `**Label**`. A text line that would look like it gets one
// blank in front, which Markdown does not show and which body.c takes away again.
#include "handoff/handoff_md.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/labels.h"
#include "handoff/text.h"
#include "json/json.h"

#include <string.h>

#define BLOCKER_LINES 15
#define MIN_LINES     2

static const struct role_labels labels[] = {
    {"performance", "Performance Summary", NULL},  {"review", "Review Summary", "Review Status"},
    {"developer", "Implementation Summary", NULL}, {"critic", NULL, "Verdict"},
    {"testing", "Testing Summary", NULL},          {"debug", "Debug Summary", NULL},
    {"security", "Security Summary", NULL},        {"cicd", "CI/CD Summary", NULL},
    {"architect", "Architecture Summary", NULL},   {NULL, NULL, NULL},
};

const struct role_labels *role_labels_of(const char *role)
{
    size_t i = 0;
    while (labels[i].role && !str_eq(labels[i].role, role))
        i++;
    return &labels[i];
}

static void add_scalar(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s: ", key);
    if (!value)
        buf_str_add(b, "null");
    else if (text_yaml_plain_safe(value))
        buf_str_add(b, value);
    else
        text_yaml_quoted(b, value);
    buf_char(b, '\n');
}

static void add_id(struct buf *b, const char *id)
{
    if (text_yaml_plain_safe(id))
        buf_str_add(b, id);
    else
        text_yaml_quoted(b, id);
}

static void add_parents(struct buf *b, const json_t *parents)
{
    size_t n = json_array_size(parents);
    buf_str_add(b, n == 0 ? "parent: null" : n == 1 ? "parent: " : "parent: [");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_str_add(b, ", ");
        add_id(b, json_string_value(json_array_get(parents, i)));
    }
    buf_str_add(b, n > 1 ? "]\n" : "\n");
}

// One line, whatever the value: JSON is YAML flow style.
static void add_extra(struct buf *b, const char *key, const json_t *value)
{
    if (text_yaml_plain_safe(key))
        buf_printf(b, "%s: ", key);
    else {
        text_yaml_quoted(b, key);
        buf_str_add(b, ": ");
    }
    if (json_is_string(value)) {
        text_yaml_quoted(b, json_string_value(value));
    } else {
        AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        buf_str_add(b, text ? text : "null");
    }
    buf_char(b, '\n');
}

static void add_frontmatter(struct buf *b, const json_t *h)
{
    buf_str_add(b, "---\nid: ");
    add_id(b, json_str(h, "id", ""));
    buf_char(b, '\n');
    add_parents(b, json_list(h, "parent"));
    add_scalar(b, "agent", json_str(h, "agent", NULL));
    add_scalar(b, "status", json_str(h, "status", NULL));
    buf_str_add(b, "summary: ");
    text_yaml_quoted(b, json_str(h, "summary", ""));
    buf_char(b, '\n');
    add_scalar(b, "next_agent", json_str(h, "next_agent", NULL));
    buf_str_add(b, "next_task: ");
    text_yaml_quoted(b, json_str(h, "next_task", ""));
    buf_char(b, '\n');
    if (json_str(h, "verdict", NULL))
        add_scalar(b, "verdict", json_str(h, "verdict", NULL));
    if (json_str(h, "run", NULL)) {
        add_scalar(b, "run", json_str(h, "run", NULL));
        buf_printf(b, "stage: %lld\nattempt: %lld\n", (long long)json_int(h, "stage", 0),
                   (long long)json_int(h, "attempt", 0));
    }
    json_t *extra = json_obj(h, "extra");
    for (void *it = json_object_iter(extra); it; it = json_object_iter_next(extra, it))
        if (json_object_iter_key(it)[0] != '\0')
            add_extra(b, json_object_iter_key(it), json_object_iter_value(it));
    buf_str_add(b, "---\n");
}

// A line that would be taken for structure, or one of ours with the blanks that mark it already.
static bool needs_blank(const char *line)
{
    line += strspn(line, " ");
    return *line == '#' || str_starts(line, "**") || str_starts(line, "---") || str_starts(line, "```") ||
           str_starts(line, "~~~");
}

// At most `max` lines; what is cut is said. Fences that the cut leaves open are closed.
static void add_text(struct buf *b, const char *text, size_t max, const char *id)
{
    size_t total = text_lines(text), spare = strstr(text, "```") ? 2 : 1; // for the note and a closing fence
    size_t keep = total <= max ? total : max > MIN_LINES ? max - spare : 1;
    bool fenced = false;
    for (size_t i = 0; i < keep; i++) {
        size_t n = strcspn(text, "\n");
        if (str_starts(text, "```"))
            fenced = !fenced;
        if (needs_blank(text))
            buf_char(b, ' ');
        buf_add(b, text, n);
        buf_char(b, '\n');
        text += n + (text[n] == '\n');
    }
    if (keep == total)
        return;
    if (fenced)
        buf_str_add(b, " ```\n");
    buf_printf(b, "(%zu more lines in `%s.json`)\n", total - keep, id);
}

static bool has_section(const json_t *sections, const char *label)
{
    for (size_t i = 0; i < json_array_size(sections); i++)
        if (str_eq_nocase(json_str(json_array_get(sections, i), "label", NULL), label))
            return true;
    return false;
}

// The largest number of lines per section with which all sections together stay within `budget`.
static size_t fair_share(const json_t *sections, size_t budget)
{
    for (size_t share = budget; share > MIN_LINES; share--) {
        size_t sum = 0;
        for (size_t i = 0; i < json_array_size(sections); i++) {
            size_t n = text_lines(json_str(json_array_get(sections, i), "text", ""));
            sum += 3 + (n < share ? n : share); // label and two blank lines
        }
        if (sum <= budget)
            return share;
    }
    return MIN_LINES;
}

static void add_output(struct buf *b, const json_t *h, size_t budget)
{
    const struct role_labels *expected = role_labels_of(json_str(h, "agent", NULL));
    const json_t *sections = json_list(h, "sections");
    const char *verdict = json_str(h, "verdict", NULL), *id = json_str(h, "id", "");
    buf_str_add(b, "\n## Output\n");
    if (expected->verdict && verdict && !has_section(sections, expected->verdict))
        buf_printf(b, "\n**%s**: `%s`\n", expected->verdict, verdict);
    if (expected->summary && !has_section(sections, expected->summary))
        buf_printf(b, "\n**%s**: %s\n", expected->summary, json_str(h, "summary", ""));
    size_t share = fair_share(sections, budget);
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *section = json_array_get(sections, i);
        const char *text = json_str(section, "text", "");
        buf_printf(b, "\n**%s**\n", json_str(section, "label", ""));
        if (*text) {
            buf_char(b, '\n');
            add_text(b, text, share, id);
        }
    }
}

static void add_context(struct buf *b, const json_t *h)
{
    const char *context = json_str(h, "context", NULL), *task = json_str(json_obj(h, "context"), "task", NULL);
    const char *id = json_str(h, "id", "");
    buf_str_add(b, "\n## Context\n\n");
    if (context || task) {
        add_text(b, context ? context : task, 10, id);
        return;
    }
    const char *run = json_str(h, "run", NULL);
    if (run)
        buf_printf(b, "Stage %lld of run `%s`, attempt %lld. ", (long long)json_int(h, "stage", 0), run,
                   (long long)json_int(h, "attempt", 0));
    buf_printf(b, "The whole object with its evidence: `%s.json`.\n", id);
}

char *handoff_md_new(const json_t *handoff)
{
    AUTO_BUF struct buf b = BUF_INIT;
    const char *blockers = json_str(handoff, "blockers", NULL), *id = json_str(handoff, "id", "");
    bool blocked = str_eq(json_str(handoff, "status", NULL), "blocked") && blockers && *blockers;
    const json_t *acceptance = json_list(handoff, "acceptance");
    size_t used = 10; // headings, context, the role's own labels
    if (blocked)
        used += 3 + (text_lines(blockers) < BLOCKER_LINES ? text_lines(blockers) : BLOCKER_LINES);
    if (json_array_size(acceptance) > 0)
        used += 3 + json_array_size(acceptance);
    add_frontmatter(&b, handoff);
    add_context(&b, handoff);
    add_output(&b, handoff, used < HANDOFF_BODY_LINES ? HANDOFF_BODY_LINES - used : MIN_LINES);
    if (blocked) {
        buf_str_add(&b, "\n## Blockers\n\n");
        add_text(&b, blockers, BLOCKER_LINES, id);
    }
    if (json_array_size(acceptance) > 0)
        buf_str_add(&b, "\n## Acceptance Criteria\n\n");
    for (size_t i = 0; i < json_array_size(acceptance); i++) {
        const char *item = json_string_value(json_array_get(acceptance, i));
        buf_printf(&b, "- [ ] %s\n", item ? item : "");
    }
    return buf_steal(&b);
}
