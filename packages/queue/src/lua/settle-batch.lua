--[[
  Forgets a batch that is in the queue, and whose webhooks' logs say that they belong to it.

  KEYS[1]  lots, by the time at which to look at them
  KEYS[2]  the lot's order
  KEYS[3]  the lot's data
  KEYS[4]  the lot's state
  KEYS[5]  the lot's batches that are cut
  KEYS[6]  the lot's leases
  KEYS[7]  webhooks in the shard's lots

  ARGV[1]  lot
  ARGV[2]  the batch's id

  Returns the number of its webhooks; 0 where another has settled it.
]]
local members = redis.call('HGET', KEYS[5], ARGV[2])
if not members then
  return 0
end
local isJson, ids = pcall(cjson.decode, members)
-- What nobody can read any more was cut, and is not known.
local count = isJson and type(ids) == 'table' and #ids > 0 and redis.call('HDEL', KEYS[3], unpack(ids)) or 0
redis.call('HDEL', KEYS[5], ARGV[2])
redis.call('ZREM', KEYS[6], ARGV[2])
redis.call('DECRBY', KEYS[7], count)
if redis.call('EXISTS', KEYS[2], KEYS[6]) == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('DEL', KEYS[4])
end
return count
