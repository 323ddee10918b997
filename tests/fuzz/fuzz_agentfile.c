// Agent files: whatever the bytes, there is an agentfile, an agent or a reason why not, and JSON that can be written.
#include "agentfile/agentfile.h"
#include "base/mem.h"
#include "json/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agentfile *f = agentfile_examine("agents/x.md", (const char *)data, size);
    must(f->name || f->mode == AGENT_MODE_NONE); // with a name: an agent, but not as it is written
    must(f->mode != AGENT_MODE_NONE || f->diagnostics.len > 0);
    must(f->body_offset <= size);
    for (size_t i = 0; i < f->diagnostics.len; i++)
        must(f->diagnostics.items[i].level != AGENT_ERROR || f->mode == AGENT_MODE_NONE);
    for (size_t i = 0; i < f->tools.len; i++)
        must(f->tools.items[i].text[0] && f->tools.items[i].key);
    json_t *json = agentfile_to_json(f);
    char *text = json_compact(json);
    mem_free(text);
    json_decref(json);
    agentfile_free(f);
    return 0;
}
