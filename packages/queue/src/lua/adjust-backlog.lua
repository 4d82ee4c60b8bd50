--[[
  Notes how many webhooks joined or left the queue, by campaign. The counts steer priorities and nothing else: a process
  that is killed may leave them a little off, until the queue is empty (reset-backlog.lua).

  KEYS[1]  backlog: hash, flow → webhooks in the queue
  ARGV     in turn: a flow, and by how many it grew (shrank, where negative)

  Returns the counts, in the order of the flows.
]]
local counts = {}
for i = 1, #ARGV, 2 do
  local count = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  if count <= 0 then
    redis.call('HDEL', KEYS[1], ARGV[i])
    count = 0
  end
  counts[#counts + 1] = count
end
return counts
