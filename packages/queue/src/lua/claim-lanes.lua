--[[
  Takes the lanes that are due, so that of many workers one looks at each.

  KEYS[1]  lanes that have something to do, by the time at which to look at them
  ARGV[1]  lanes to take at most
  ARGV[2]  milliseconds for which they are taken

  Returns the lanes.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, lane in ipairs(due) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], lane)
end
return due
