/** What any call may come to while members and shards come and go. */
export const passing = [
  'SHARD_STOPPED',
  'NOT_A_MEMBER',
  'UNREACHABLE',
  'TIMEOUT',
  'OVERLOADED',
  'CLOSED',
  // A log is damaged, and those who have a good copy are away.
  'LOG_CORRUPT',
] as const;
