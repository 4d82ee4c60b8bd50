--[[
  Takes what an earlier version of hookfleet parked in a lane, to be put back into the queue. What the earlier version had
  released is taken too: its job may be lost, and if it is not, adding it again changes nothing.

  KEYS[1]  the former lanes that had something to do
  KEYS[2]  webhooks parked, by lane
  KEYS[3]  the lane's data: hash, job → what it holds
  KEYS[4…] the lane's other keys
  ARGV[1]  lane
  ARGV[2]  jobs to take at most
  ARGV[3…] jobs that were taken and are in the queue

  Returns { job, data, job, data, … }. They stay until a later call names them. Without any, the lane is gone.
]]
if ARGV[3] then
  redis.call('HDEL', KEYS[3], unpack(ARGV, 3))
end
local taken = redis.call('HRANDFIELD', KEYS[3], ARGV[2], 'WITHVALUES')
if #taken == 0 then
  redis.call('DEL', unpack(KEYS, 3))
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return taken
