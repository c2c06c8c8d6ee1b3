/** Every page that is drawn by a component. The API reference is not: it has a shell of its own, docs.html. */
export interface Page {
  /** In the window until the script sets it in the language of the visitor. */
  title: string
  component: string
  /** The module of the component, from the root of the pages. */
  from: string
  /** A module with texts that only this page loads. */
  texts?: string
  /** Whether search engines may list the page. */
  isIndexed?: boolean
}

/** By path. */
export const pages: Readonly<Record<string, Page>> = {
  'sign-in': { title: 'Sign in', component: 'SignIn', from: '/pages/sign-in.tsx', isIndexed: true },
  'sign-up': { title: 'Create an account', component: 'SignUp', from: '/pages/sign-up.tsx' },
  activate: { title: 'Activate your account', component: 'Activate', from: '/pages/activate.tsx' },
  'forgot-password': {
    title: 'Forgot your password?',
    component: 'ForgotPassword',
    from: '/pages/forgot-password.tsx',
  },
  'reset-password': { title: 'Set a new password', component: 'ResetPassword', from: '/pages/reset-password.tsx' },
  account: {
    title: 'Your account',
    component: 'Account',
    from: '/pages/account.tsx',
    texts: '/account/texts/words.ts',
  },
  'confirm-email': {
    title: 'Confirm your new address',
    component: 'ConfirmEmail',
    from: '/pages/confirm-email.tsx',
    texts: '/links/texts/words.ts',
  },
  'revert-email': {
    title: 'Keep your old address',
    component: 'RevertEmail',
    from: '/pages/revert-email.tsx',
    texts: '/links/texts/words.ts',
  },
  console: {
    title: 'Console',
    component: 'Console',
    from: '/console/console.tsx',
    texts: '/console/texts/words.ts',
  },
}
