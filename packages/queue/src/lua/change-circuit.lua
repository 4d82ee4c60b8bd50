--[[
  Changes a lane's circuit if it is still as the caller saw it: of several workers that see the same, one changes it.

  KEYS[1]  circuits that are not closed, by lane
  KEYS[2]  lanes that have something to do
  ARGV[1]  lane
  ARGV[2]  the circuit as the caller saw it; "" for closed
  ARGV[3]  the circuit as it shall be; "" for closed

  Returns 1 where it was changed, else 0. A lane whose circuit closes is due at once, if it has something parked.
]]
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  return 1
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], 'XX', 0, ARGV[1])
return 1
