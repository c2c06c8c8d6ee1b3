/** What follows the password: the second factor, and the offer of a passkey. */
export const entrance = {
  secondStep: {
    title: 'One more step',
    passkey: 'Confirm with your passkey that it is you.',
    passkeyRefused: 'This passkey was not accepted. Try again, or choose another way.',
    waiting: 'Waiting for your device…',
    trust: 'Do not ask again on this device for 30 days',
    submit: 'Continue',
    busy: 'Checking…',
    startOver: 'Back to sign-in',
  },
  offer: {
    title: 'Sign in faster next time',
    why: 'With a passkey you sign in with your fingerprint, your face or the PIN of this device, and type no password. From then on the password alone is no longer enough.',
    create: 'Create a passkey',
    notNow: 'Not now',
    createdTitle: 'You have a passkey now',
    created: 'From now on you can sign in with it. Your password works, too, but is no longer enough by itself.',
    codes: 'Keep these recovery codes for when you have lost your passkey. Each works once. They are shown only now.',
    goOn: 'Continue',
  },
  codes: {
    list: 'Recovery codes',
    copy: 'Copy',
    copied: 'Copied.',
    notCopied: 'This browser does not allow copying. Please copy by hand.',
    download: 'Download',
    print: 'Print',
    file: 'recovery-codes.txt',
    saved: 'I have saved them',
  },
}
