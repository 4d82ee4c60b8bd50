--[[
  Notes in a bundle's log what became of webhooks without an attempt: they wait for their batch, or are cancelled. Their
  job is gone, and they must still be found.

  KEYS[1]  attempt log of the bundle
  KEYS[2]  counts of webhooks that wait for a time of their own (due-later.ts)
  ARGV[1]  lifetime in milliseconds that the log has at least
  ARGV[2]  what the bundle's webhooks have in common
  ARGV[3]  the count of KEYS[2] that they leave, or ""
  then for each webhook three arguments: a field of the log, its value, and its recipients

  Returns nothing of use.
]]
redis.call('HSETNX', KEYS[1], 'bundle', ARGV[2])
local noted = 0
for i = 4, #ARGV, 3 do
  if redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then
    noted = noted + ARGV[i + 2]
  end
end
if noted > 0 and redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1
  and redis.call('HINCRBY', KEYS[2], ARGV[3], -noted) <= 0 then
  redis.call('HDEL', KEYS[2], ARGV[3], ARGV[3] .. ' since')
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 0
