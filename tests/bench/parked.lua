-- `width` stages side by side, and then a wait that nobody ends: what a restart finds, and what a parked run weighs.

workflow "parked" {
  about = "Waits for a day",
  agents = { "echo" },
  params = {
    size = { default = 1024, about = "Bytes each stage sends back" },
    width = { default = 0, about = "Stages before the wait" },
  },

  run = function(p)
    local items = {}
    for i = 1, p.width do items[i] = i end
    if p.width > 0 then
      parallel(items, function(i) return stage { agent = "echo", input = { size = p.size, n = i } }.ok end, 64)
    end
    log("parked")
    sleep("24h")
  end,
}
