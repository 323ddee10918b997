-- The main job: review, profile, speed up, measure again, review again.
-- Every claim is measured: a change that does not make something faster is dropped, and so is one that breaks a test.

local REVIEWER, PERFORMANCE, DEVELOPER = "rust-code-reviewer", "rust-performance-engineer", "rust-developer"

-- A stage that did not do its task ends the run, with its own words.
local function done(result)
  if result.status == "needs_discussion" then finish("needs_discussion", { reason = result.summary }) end
  if not result.ok then fail(result.agent .. ": " .. result.summary) end
  return result
end

workflow "relay" {
  about = "Review, profile and speed up a Rust project; accepted changes end up on a branch",
  chain = "rust-code-reviewer -> rust-performance-engineer -> rust-developer"
    .. " -> rust-performance-engineer -> rust-code-reviewer",
  params = {
    focus = { default = "all", one_of = { "build", "runtime", "all" }, about = "What shall be faster" },
    bench = { type = "string", about = "Command that is profiled and measured (default: what the project offers)" },
    max_rounds = { default = 2, about = "Rounds of changing and verifying before people are asked" },
    budget_minutes = { type = "number", default = 20, about = "Time for the measurements of one stage" },
  },

  run = function(p)
    local limits = { focus = p.focus, bench = p.bench, budget_minutes = p.budget_minutes }

    local review = done(stage {
      agent = REVIEWER, input = limits, task = "Review the project for performance concerns",
    })
    local profile = done(stage {
      agent = PERFORMANCE, after = review, input = limits, task = "Profile what the review points at",
    })
    if not profile.output.measurable then finish("nothing_measurable", { reason = profile.summary }) end

    local verdict
    for round = 1, math.max(p.max_rounds, 1) do
      local change = done(stage {
        agent = DEVELOPER, after = { profile, verdict }, input = { focus = p.focus, round = round },
        task = verdict and "Address the requests of the reviewer" or "Implement the candidates of the profile",
      })
      if round == 1 and change.output.changed == 0 then
        finish("accepted", { reason = "already optimal: no candidate is worth a change", skipped = change.output.skipped })
      end

      local proof = done(stage {
        agent = PERFORMANCE, after = change, input = limits,
        task = "Measure before against after and drop what is not faster",
      })

      verdict = done(stage {
        agent = REVIEWER, after = proof, input = { focus = p.focus, round = round },
        task = "Verify that the kept changes are correct",
      })
      if gate(verdict) then
        if proof.output.kept == 0 and (proof.output.undecided or 0) > 0 then
          finish("needs_discussion", { reason = proof.output.undecided .. " changes could not be decided in the time there was" })
        end
        if proof.output.kept > 0 and not proof.output.proven then
          finish("needs_discussion", {
            reason = "each of the " .. proof.output.kept .. " kept changes measured better alone, but together they do not on fresh pairs",
            kept = proof.output.kept, head = proof.output.head,
          })
        end
        finish("accepted", { reason = proof.summary, rounds = round, kept = proof.output.kept, head = proof.output.head })
      end
      log("round", round, "of", p.max_rounds, "was not approved:", verdict.summary)
    end
    finish("needs_discussion", { reason = verdict.summary, requests = verdict.output.requests })
  end,
}
