import prinzbox from './index.cjs';

export const { Environment, Namespace, Prinzbox, connect, findBinary, start } = prinzbox;
