-- Tasks that end in another order than they began, and count each other: a replay must let them come by as they did.

workflow "order" {
  agents = { "echo" },

  run = function()
    local count = 0
    local orders = parallel({ 1, 2, 3, 4 }, function(i)
      stage { agent = "echo", input = { id = i, mark = "marks", sleep_ms = 600 - 120 * i } }
      count = count + 1
      if i % 2 == 0 then sleep(0.05 * i) end
      count = count + 1
      return stage { agent = "echo", input = { order = count, mark = "marks" } }.output.echo.order
    end)
    stage { agent = "echo", input = { id = "last", mark = "marks", sleep_ms = 1500 } }
    finish("accepted", { orders = orders })
  end,
}
