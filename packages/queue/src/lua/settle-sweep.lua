--[[
  Ends the sweep of a campaign. Each sweep is done twice: a webhook whose producer or worker did not know of the cancel
  may join the queue behind the first one.

  KEYS[1]  campaigns to sweep, by the time at which to sweep them
  ARGV[1]  what was taken: a campaign, or "<campaign> deadline"; with " again" for the second time
  ARGV[2]  the time until which it was taken; if it is another now, the campaign was cancelled again
]]
local AGAIN_AFTER_MS = 3000

local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
if not string.find(ARGV[1], ' again$') then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[1], now + AGAIN_AFTER_MS, ARGV[1] .. ' again')
end
return 1
