-- Only the review: findings, nothing is changed.

workflow "review" {
  about = "Review a Rust project for performance concerns",
  chain = "rust-code-reviewer",
  params = {
    focus = { default = "all", one_of = { "build", "runtime", "all" }, about = "What is looked at" },
  },

  run = function(p)
    local review = stage { agent = "rust-code-reviewer", input = { focus = p.focus } }
    if not review.ok then fail("the review did not end well: " .. review.summary) end
    finish("accepted", { reason = review.summary, findings = count(review.output.findings) })
  end,
}
