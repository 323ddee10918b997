-- Stages side by side whose tools leave processes everywhere; they end only when somebody ends them.

workflow "trees" {
  agents = { "echo", "rust-code-reviewer" },
  params = { width = { default = 2 }, limit = { default = "10m" }, how = { default = "" } },

  run = function(p)
    local items = {}
    for i = 1, p.width do items[i] = i end
    stage { agent = "rust-code-reviewer" } -- has nothing to read in the project, but makes the run have checkouts
    local states = parallel(items, function(i)
      return stage { agent = "echo", timeout = p.limit, input = { id = i, mark = "marks", exec = { "python3", "work/tree.py", p.how } } }.status
    end)
    finish("accepted", { states = states })
  end,
}
