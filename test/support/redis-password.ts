/** The password of every node. */
export const password = 'of-the-operator';
