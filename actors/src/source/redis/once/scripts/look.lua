#!lua flags=no-writes
-- Reads who owns the queue. Compares nothing, writes nothing.
-- KEYS owner.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'deadline', 'format')
return {'ok', seen[1] or '', seen[2] or '', seen[3] or '', seen[4] or ''}
