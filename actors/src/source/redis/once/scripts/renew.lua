#!lua flags=allow-oom
-- Renews the lease, and tells whether index and head are there.
-- Compares epoch and token. Writes the deadline.
-- KEYS owner. ARGV epoch, token, lease in ms.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'version', 'tip')
if seen[1] ~= ARGV[1] or seen[2] ~= ARGV[2] then
  return {'lost', seen[1] or '', seen[2] or ''}
end
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], 'deadline', string.format('%.0f', deadline))
return {'ok', seen[3] or '', seen[4] or '',
  tostring(redis.call('HEXISTS', KEYS[1], 'index')),
  tostring(redis.call('HEXISTS', KEYS[1], 'head'))}
