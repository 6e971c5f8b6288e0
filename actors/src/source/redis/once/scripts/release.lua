#!lua flags=allow-oom
-- Gives the queue back, so that a standby need not wait for the lease.
-- Compares epoch and token. Empties the token.
-- KEYS owner. ARGV epoch, token.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'version', 'tip')
if seen[1] ~= ARGV[1] or seen[2] ~= ARGV[2] then
  return {'lost', seen[1] or '', seen[2] or ''}
end
redis.call('HSET', KEYS[1], 'token', '', 'deadline', '0')
return {'ok', seen[3] or '', seen[4] or ''}
