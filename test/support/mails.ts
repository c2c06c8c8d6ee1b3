/** The subject lines, by which tests tell mails apart. */
export const subjects = {
  activation: 'Activate your Postern account',
  accountExists: 'You already have a Postern account',
  accountActivated: 'Your Postern account is active',
  passwordReset: 'Set a new password for Postern',
  setPassword: 'Choose a password for Postern',
  passwordChanged: 'Your Postern password was changed',
  accountSuspended: 'Your Postern account was suspended',
  accountReinstated: 'Your Postern account is open again',
  accountDeleted: 'Your Postern account was deleted',
  roleChanged: 'Your role at Postern was changed',
  sessionReuse: 'We ended a session of your Postern account',
} as const
