--[[
  Takes what is due, so that of many workers one looks at each.

  KEYS[1]  what has something to do (lanes, buffers of batches, campaigns to sweep), by the time at which to look at it
  ARGV[1]  how many to take at most
  ARGV[2]  milliseconds for which they are taken: after that they are due again

  Returns { the time until which they are taken, in milliseconds since 1970, then what was taken }.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local takenUntil = math.floor(now) + ARGV[2]
-- With microseconds: what became due a moment ago would else be missed until the next look.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  redis.call('ZADD', KEYS[1], takenUntil, member)
end
return { takenUntil, unpack(due) }
