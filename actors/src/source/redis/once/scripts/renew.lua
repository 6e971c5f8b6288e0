-- Renews the lease, and answers whether index and head are there.
-- Compares epoch and token. Writes the deadline.
-- KEYS owner. ARGV epoch, token, lease in ms.
redis.call('HSET', KEYS[1], 'deadline', deadline(ARGV[3]))
return {'ok', seen[3] or '', seen[4] or '',
  tostring(redis.call('HEXISTS', KEYS[1], 'index')),
  tostring(redis.call('HEXISTS', KEYS[1], 'head'))}
