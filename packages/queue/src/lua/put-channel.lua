--[[
  Stores a channel, and notes the change for processes that keep a copy.

  KEYS[1]  channels: hash, id → channel
  KEYS[2]  version of the controls, circuits and channels
  KEYS[3]  what changed, by version (read-changes.lua)
  KEYS[4]  lanes that have something to do, by the time at which to look at them
  ARGV[1]  id
  ARGV[2]  the channel as it is stored
  ARGV[3]  its lane
]]
-- The same as in change-circuit.lua.
local CHANGES_MAX = 10000

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local time = redis.call('TIME')
local version = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%.0f', version))
redis.call('ZADD', KEYS[3], string.format('%.0f', version), ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -CHANGES_MAX - 1)
-- A limit that was raised or removed counts for what waits already.
redis.call('ZADD', KEYS[4], 0, ARGV[3])
return 1
