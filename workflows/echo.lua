-- Four stages of the smallest worker in a row, or many side by side: for tests and for measuring the engine itself.

workflow "echo" {
  about = "Four echo stages, or `width` of them in parallel",
  agents = { "echo" },
  params = {
    size = { default = 1024, about = "Bytes each stage sends back" },
    width = { default = 0, about = "Parallel stages instead of the chain of four" },
    steps = { default = 4, about = "Stages in the chain" },
    limit = { default = 64, about = "Parallel stages at the same time" },
  },

  run = function(p)
    if p.width > 0 then
      local items = {}
      for i = 1, p.width do items[i] = i end
      local results = parallel(items, function(i)
        return stage { agent = "echo", input = { size = p.size, n = i } }.ok
      end, p.limit)
      local done = 0
      for _, ok in ipairs(results) do done = done + (ok and 1 or 0) end
      finish(done == p.width and "accepted" or "failed", { done = done })
    end
    local last
    for i = 1, p.steps do
      last = stage { agent = "echo", after = last, input = { size = p.size, n = i } }
      if not last.ok then fail("stage " .. i .. ": " .. last.summary) end
    end
    finish("accepted", { done = p.steps, id = last and last.id })
  end,
}
