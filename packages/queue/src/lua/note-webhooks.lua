--[[
  Notes in a bundle's log what became of webhooks without an attempt: they wait in a lane or were called off. Their job
  is gone, and they must still be found.

  KEYS[1]  attempt log of the bundle
  ARGV[1]  lifetime in milliseconds that the log has at least
  ARGV[2]  what the bundle's webhooks have in common
  then for each webhook two arguments: a field of the log, and its value

  Returns nothing of use.
]]
redis.call('HSETNX', KEYS[1], 'bundle', ARGV[2])
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 0
