export const en = {
  confirm: {
    title: 'Confirm your new address',
    intro: (email: string) => `You are signed in as ${email}. After this you sign in with your new address.`,
    submit: 'Use the new address',
    signInTitle: 'Sign in first',
    signIn: 'Sign in to the account whose address you are changing. Then open the link in the email again.',
    missing: 'Open the link in the email that we sent to your new address.',
    void: 'This link has expired, has already been used, or belongs to another account. You can ask for a new one in your account.',
    doneTitle: 'Your address has been changed',
    done: (email: string) => `From now on you sign in with ${email}.`,
  },
  revert: {
    title: 'Keep your old address',
    intro:
      'Did somebody else change your address? This restores your old one and signs everybody out. The password is removed, and so is every passkey or authenticator app that was added since the day before. We then send you a link to set a new password.',
    submit: 'Restore my old address',
    missing: 'Open the link in the email that we sent to your old address.',
    void: 'This link has expired or has already been used, or the account was deleted.',
    doneTitle: 'Your old address is restored',
    done: 'Everybody has been signed out, and the password no longer works. Open the email that we have just sent you, and set a new one.',
  },
  busy: 'One moment…',
  voidTitle: 'This link no longer works',
}

export type Words = typeof en
