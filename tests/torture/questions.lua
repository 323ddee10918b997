-- Three questions at once and one after them: each is answered once, by one answer.

workflow "questions" {
  agents = { "echo" },

  run = function()
    local answers = parallel({ 1, 2, 3 }, function(i)
      local ok, answer = approve { question = "number " .. i, expires = "10m" }
      return (ok and "yes " or "no ") .. answer.note
    end)
    local ok, answer = approve { question = "the last one", expires = "2s" }
    finish("accepted", { answers = answers, last = (ok and "yes " or "no ") .. answer.note })
  end,
}
