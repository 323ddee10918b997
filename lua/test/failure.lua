-- on_failure and continue_as_new against the dry-run host: registering, taking back, and what is refused.
workflow "test-failure" {
  run = function()
    local keep = on_failure(function(why) assert(why.outcome == "failed") end)
    assert(type(keep) == "function")
    keep()
    for _, bad in ipairs({ 1, "x", {} }) do assert(not pcall(on_failure, bad)) end
    local ok, why = pcall(continue_as_new, 7)
    assert(not ok and text.find(why, "expected a table of params"), why)
    finish "accepted"
  end,
}
