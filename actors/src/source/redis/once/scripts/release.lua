-- Gives the queue back, so that a standby need not wait for the lease.
-- Compares epoch and token. Empties the token.
-- KEYS owner. ARGV epoch, token.
redis.call('HSET', KEYS[1], 'token', '', 'deadline', '0')
return {'ok', seen[3] or '', seen[4] or ''}
