-- chain(): goes back behind the previous place of a reviewer that asks for changes.
workflow "test-chain" {
  chain = "rust-code-reviewer → [rust-developer] -> **rust-code-reviewer** (if changes)",
  run = function()
    local results, open = chain("rust-code-reviewer -> rust-developer -> rust-code-reviewer", { max_rounds = 3 })
    -- The first reviewer's gate is closed, but nobody comes before it; then developer and reviewer, whose gate is open.
    assert(#results == 3 and open, #results)
    assert(results[2].agent == "rust-developer" and results[3].verdict == "approved")
    local one, yes = chain({ "echo" })
    assert(#one == 1 and yes)
    local ok, message = pcall(chain, "a -> b c")
    assert(not ok and text.match(message, "step 2"))
    finish "accepted"
  end,
}
