--[[
  Changes the circuit of a lane.

  KEYS[1]  circuits that are not closed: hash, lane → circuit
  KEYS[2]  lanes that have something to do, by the time at which to look at them
  KEYS[3]  version of the controls and circuits
  KEYS[4]  what changed, by version (read-changes.lua)
  ARGV[1]  lane
  ARGV[2]  the circuit as the caller knows it, "" for closed; "*": change it whatever it is
  ARGV[3]  the new circuit; "" for closed

  Returns 1 if the circuit was changed, 0 if it is not what the caller knows. So of several workers that see the same
  failure one changes the circuit. When a circuit closes, its lane is due at once.
]]
-- The same as in change-controls.lua; read-changes.lua knows the number too.
local CHANGES_MAX = 10000

local function noteChange(changedLane)
  -- By the clock, so that a number is never given twice, also not by a master that took over without the last changes.
  local time = redis.call('TIME')
  local version = math.max(tonumber(redis.call('GET', KEYS[3]) or '0') + 1, time[1] * 1000000 + time[2])
  redis.call('SET', KEYS[3], string.format('%.0f', version))
  redis.call('ZADD', KEYS[4], string.format('%.0f', version), changedLane)
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -CHANGES_MAX - 1)
end

local lane, known, new = ARGV[1], ARGV[2], ARGV[3]
if known ~= '*' and (redis.call('HGET', KEYS[1], lane) or '') ~= known then
  return 0
end
if new ~= '' then
  redis.call('HSET', KEYS[1], lane, new)
else
  redis.call('HDEL', KEYS[1], lane)
  redis.call('ZADD', KEYS[2], 0, lane)
end
noteChange(lane)
return 1
