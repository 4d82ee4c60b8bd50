--[[
  Which of the keys exist. One call for many keys, of which few are there.

  KEYS     keys of one slot

  Returns the positions in KEYS of those that exist, from 1.
]]
local found = {}
for i, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    found[#found + 1] = i
  end
end
return found
