// The deployment's ceiling and the bounds of an assignment. The first line of the input is an agent file's keys, the
// rest is a site's file, and as JSON the bounds of an assignment. What is read never widens: nothing is allowed under
// the bounds that they do not allow by themselves.
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"
#include "rights/rights.h"
#include "rights/site.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool may(const struct policy *p, const char *tool, const char *input)
{
    static const struct policy_context CONTEXT = {.workspace = "/ws", .cwd = "/ws"};
    struct decision d;
    policy_check(p, &CONTEXT, tool, input, &d);
    return d.verdict != POLICY_DENY;
}

// An agent that lists every tool: what it may do is what the bounds let through.
static struct policy *everything(const json_t *bounds)
{
    static const char TEXT[] = "---\nname: x\ndescription: d\ntools: Read, Edit, Bash, WebFetch, Skill, Task\n---\nx\n";
    static struct agentfile *file;
    struct policy *p = NULL;
    must(file || agentfile_parse("x.md", TEXT, sizeof(TEXT) - 1, &file, NULL) == 0);
    return rights_new("x", file, NULL, bounds, &p, NULL) < 0 ? NULL : p;
}

static void hold(const char *keys, const json_t *bounds)
{
    static const char *const CALLS[][2] = {
        {"Read", "src/a.rs"}, {"Edit", "a"}, {"Bash", "cargo test"}, {"Bash", "git log"}, {"WebFetch", "https://a.b/"}};
    struct agentfile *file = NULL;
    struct policy *own = NULL, *limit = NULL;
    AUTO_FREE char *text = str_printf("---\nname: x\ndescription: d\n%s\n---\nx\n", keys);
    if (agentfile_parse("x.md", text, strlen(text), &file, NULL) == 0 &&
        rights_new("x", file, NULL, bounds, &own, NULL) == 0) {
        limit = everything(bounds);
        for (size_t i = 0; limit && i < sizeof(CALLS) / sizeof(CALLS[0]); i++)
            must(may(limit, CALLS[i][0], CALLS[i][1]) || !may(own, CALLS[i][0], CALLS[i][1]));
        AUTO_JSON json_t *handed_on = rights_handed_on_new(file, NULL, bounds);
        must(json_array_size(handed_on) >= json_array_size(bounds));
    }
    agentfile_free(file);
    policy_free(own);
    policy_free(limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = str_ndup((const char *)data, size);
    size_t line = strcspn(text, "\n");
    char *rest = text + line + (text[line] == '\n');
    text[line] = '\0';
    struct err err = {0};
    json_t *bound = NULL;
    AUTO_JSON json_t *bounds = json_array();
    int r = site_parse(rest, "p", &bound, &err);
    must(r == 0 || (bound == NULL && str_starts(err.text, "p:")));
    if (bound)
        json_array_append_new(bounds, bound);
    hold(text, bounds);
    AUTO_JSON json_t *sent = json_parse_new(rest, strlen(rest), "bounds", &err);
    if (json_is_array(sent))
        hold(text, sent);
    return 0;
}
