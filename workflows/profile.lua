-- Review and profile: where the time goes and which findings lie on a hot path. Nothing is changed.

workflow "profile" {
  about = "Find the hot paths of a Rust project and rank the findings of a review by them",
  chain = "rust-code-reviewer -> rust-performance-engineer",
  params = {
    focus = { default = "all", one_of = { "build", "runtime", "all" }, about = "What is looked at" },
    bench = { type = "string", about = "Command that is profiled (default: what the project offers)" },
    budget_minutes = { type = "number", default = 20, about = "Time for the measurements" },
  },

  run = function(p)
    local input = { focus = p.focus, bench = p.bench, budget_minutes = p.budget_minutes }
    local review = stage { agent = "rust-code-reviewer", input = input }
    if not review.ok then fail("the review did not end well: " .. review.summary) end

    local profile = stage { agent = "rust-performance-engineer", after = review, input = input }
    if not profile.ok then fail("the profile did not end well: " .. profile.summary) end
    if not profile.output.measurable then finish("nothing_measurable", { reason = profile.summary }) end

    finish("accepted", { reason = profile.summary, candidates = count(profile.output.candidates) })
  end,
}
