package com.github.prinzbox;

import java.util.LinkedHashMap;
import java.util.Map;

/** An independent environment in the process of another one, made at first use. */
public final class Namespace extends Environment implements AutoCloseable {
  private final Environment parent;
  private final String name;

  Namespace(Environment parent, String name) {
    super(within(parent, name));
    this.parent = parent;
    this.name = name;
  }

  private static Map<String, Object> within(Environment parent, String name) {
    Map<String, Object> ready = new LinkedHashMap<>(parent.ready());
    ready.put("tracking_uri", parent.trackingUri() + "/ns/" + name);
    ready.put("static_url", parent.staticUrl() + "/ns/" + name);
    ready.put("access_key", parent.accessKey() + ".ns." + name);
    return ready;
  }

  public String name() {
    return name;
  }

  /** Removes the namespace with all that is in it, if it was ever asked for. */
  public void delete() {
    try {
      parent.control("DELETE", "/namespaces/" + escape(name), null);
    } catch (PrinzboxException e) {
      if (e.status() != 404) {
        throw e;
      }
    }
  }

  /** The same as delete. */
  @Override
  public void close() {
    delete();
  }
}
