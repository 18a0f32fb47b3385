/** The line that prinzbox prints when everything answers. */
export interface Ready {
  tracking_uri: string;
  s3_endpoint: string;
  static_url: string;
  bucket: string;
  access_key: string;
  secret_key: string;
  region: string;
  seeded?: string[];
  [field: string]: unknown;
}

export interface StartOptions {
  /** The program; default is PRINZBOX_BINARY, that of the package, or that on PATH. */
  binary?: string;
  /** Whether to register the sample models; default is true. */
  seed?: boolean;
  /** More flags of `prinzbox serve`. */
  args?: string[];
  /** Milliseconds until the start fails; default is 60000. */
  timeout?: number;
}

export type Query = Record<string, string>;

export declare class Environment {
  constructor(ready: Ready);
  readonly ready: Ready;
  readonly trackingUri: string;
  readonly s3Endpoint: string;
  readonly staticUrl: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  /** The variables that MLflow's clients and the AWS SDKs read. */
  env(): Record<string, string>;
  /** An environment of its own in the same process, made at first use. */
  namespace(name?: string): Namespace;
  /** Calls the control API; GET /openapi.json lists its operations. */
  control(method: string, route: string, body?: unknown): Promise<any>;
  status(): Promise<Record<string, any>>;
  /** Goes to a fresh state: the one it began with unless told. */
  reset(to?: '' | 'empty' | 'seeded'): Promise<void>;
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  fault(rule: Record<string, unknown>): Promise<Record<string, unknown>>;
  clearFaults(): Promise<void>;
  /** Registers a version that answers as told, and gives its number. */
  stub(model: string, stub: Record<string, unknown>): Promise<string>;
  /** What was asked and answered: { operation: 'runs/create' }. */
  calls(query?: Query): Promise<Record<string, any>[]>;
  count(query?: Query): Promise<number>;
  /** The S3 keys, as BUCKET/KEY, of the calls that match. */
  keys(query?: Query): Promise<string[]>;
  /** Throws unless matching calls came: at least one, or exactly times. */
  assertCalled(query?: Query, times?: number): Promise<void>;
}

export declare class Namespace extends Environment {
  constructor(parent: Environment, name: string);
  readonly name: string;
  readonly parent: Environment;
  /** Removes the namespace with all that is in it. */
  delete(): Promise<void>;
}

export declare class Prinzbox extends Environment {
  private constructor();
  /** The end of what the program has logged. */
  readonly log: string;
  /** Ends the program. */
  stop(): Promise<void>;
}

/** Starts the program on free ports, with nothing kept, and waits until everything answers. */
export declare function start(options?: StartOptions): Promise<Prinzbox>;
/** The environment that prinzbox/global-setup started. */
export declare function connect(ready?: Ready): Environment;
/** The program that start would take. */
export declare function findBinary(given?: string): string;
