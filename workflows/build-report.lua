-- What makes the build of a Rust project slow, and what of it nobody needs. Nothing is changed.

workflow "build-report" {
  about = "Say what makes the build of a Rust project slow, and prove what can be left out",
  chain = "rust-performance-engineer",
  params = {
    profile = { default = "dev", one_of = { "dev", "release" }, about = "The profile that is built" },
    prove = { default = true, about = "Try each removal: build all targets, run the tests" },
    budget_minutes = { type = "number", default = 10, about = "Time for proving" },
  },

  run = function(p)
    local result = stage {
      agent = "rust-performance-engineer", mode = "explain", task = "Say what makes the build slow",
      input = { profile = p.profile, prove = p.prove, budget_minutes = p.budget_minutes },
    }
    if not result.ok then fail(result.summary) end
    finish("accepted", { reason = result.summary, candidates = count(result.output.candidates) })
  end,
}
