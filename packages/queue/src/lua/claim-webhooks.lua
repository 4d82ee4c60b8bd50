--[[
  Claims webhooks of a bundle for a job, where two jobs may hold the same webhook (an idempotent call was repeated
  before it was known whether the first one had reached the queue). The first job to claim a webhook keeps it.

  KEYS[1]    attempt log of the bundle
  ARGV[1]    id of the claiming job
  ARGV[2]    lifetime of the log in milliseconds
  ARGV[2+i]  indexes of the webhooks

  Returns the whole log, claims included, as HGETALL does.
]]
for i = 3, #ARGV do
  redis.call('HSETNX', KEYS[1], ARGV[i] .. '.claim', ARGV[1])
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('HGETALL', KEYS[1])
