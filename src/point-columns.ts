/**
 * What the numbers of each kind of point are, in order. docs/operations.md has the same table; a test compares the two.
 */
export const pointColumns = {
  request: ['status', 'duration_ms', 'd1_calls', 'd1_ms'],
  job: ['duration_ms', 'd1_calls', 'd1_ms'],
  mail: ['emails'],
  gauge: ['database_bytes', 'mail_queued', 'mail_sending', 'mail_overdue', 'mail_failed', 'mail_unknown'],
} as const
