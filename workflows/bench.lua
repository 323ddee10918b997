-- Two against each other: commands of any language, or revisions of a Rust project. Nothing is changed.

local PERFORMANCE = "rust-performance-engineer"

workflow "bench" {
  about = "Compare two commands, or two revisions of a Rust project, by paired measurements",
  chain = "rust-performance-engineer",
  params = {
    commands = { type = "list", about = "Two commands, each a list of words" },
    revisions = { type = "list", about = "Two revisions of the project (instead of commands)" },
    bench = { type = "string", about = "What is run of each revision (default: what the project offers)" },
    profiles = { type = "list", about = "Profile of cargo of each revision (default: release)" },
    metric = { type = "string", about = "What decides (default: as baton.toml says, else cpu): cpu, wall, memory, allocations, syscalls, size, build, incremental" },
    theta_pct = { type = "number", about = "Smallest change that counts, in per cent (default: 2, more on a machine that cannot tell 2)" },
    budget_minutes = { type = "number", default = 5, about = "Time for the measurements" },
    fail_on = { default = { "slower", "undecided" }, about = "What does not end as accepted: slower, undecided, outputs" },
  },

  run = function(p)
    local fails = {}
    for _, word in ipairs(p.fail_on) do
      if word ~= "slower" and word ~= "undecided" and word ~= "outputs" then
        fail("'" .. tostring(word) .. "' is nothing to fail on; expected slower, undecided or outputs")
      end
      fails[word] = true
    end
    local result = stage {
      agent = PERFORMANCE, mode = "bench", task = "Measure two against each other",
      input = {
        commands = p.commands, revisions = p.revisions, bench = p.bench, profiles = p.profiles, metric = p.metric,
        theta_pct = p.theta_pct, budget_minutes = p.budget_minutes,
      },
    }
    if result.status == "needs_discussion" then finish("needs_discussion", { reason = result.summary }) end
    if not result.ok then fail(result.summary) end
    local found = result.output
    if not found.measurable then finish("nothing_measurable", { reason = result.summary }) end

    local outcome = "accepted"
    if found.verdict == "slower" and fails.slower or found.outputs == "differ" and fails.outputs then
      outcome = "rejected"
    elseif found.verdict == "undecided" and fails.undecided then
      outcome = "needs_discussion"
    end
    finish(outcome, { reason = found.sentence, verdict = found.verdict, outputs = found.outputs })
  end,
}
