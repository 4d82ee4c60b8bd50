--[[
  Claims webhooks of a bundle for a job, where two jobs may hold the same webhook (an idempotent call was repeated
  before it was known whether the first one had reached the queue). The first job to claim a webhook keeps it, as long as it
  is in the queue or has left a record: one that a failover has taken away would keep it for ever.

  KEYS[1]    attempt log of the bundle
  KEYS[2]    before the ids of the queue's jobs: what a job's key begins with
  ARGV[1]    id of the claiming job
  ARGV[2]    lifetime of the log in milliseconds
  ARGV[2+i]  indexes of the webhooks

  Returns the whole log, claims included, as HGETALL does.
]]
local recorded
local function isRecorded(index)
  if not recorded then
    recorded = {}
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      local of, what = string.match(field, '^(%d+)%.(.+)$')
      if of and what ~= 'claim' then
        recorded[of] = true
      end
    end
  end
  return recorded[index]
end

local function isGone(job)
  return job ~= ARGV[1] and redis.call('EXISTS', KEYS[2] .. job) == 0
end

for i = 3, #ARGV do
  local field = ARGV[i] .. '.claim'
  if redis.call('HSETNX', KEYS[1], field, ARGV[1]) == 0 then
    if isGone(redis.call('HGET', KEYS[1], field)) and not isRecorded(ARGV[i]) then
      redis.call('HSET', KEYS[1], field, ARGV[1])
    end
  end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('HGETALL', KEYS[1])
