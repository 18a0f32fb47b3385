package com.github.prinzbox;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Addresses and keys of an environment, and what tests do with it beside MLflow. All methods may be called by several threads. */
public class Environment {
  // Never through a proxy: the environment is on this machine, or named by its address.
  private static final HttpClient HTTP =
      HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(60)).build();

  private final Map<String, Object> ready;

  Environment(Map<String, Object> ready) {
    this.ready = Collections.unmodifiableMap(new LinkedHashMap<>(ready));
  }

  /** The line that prinzbox prints when everything answers. */
  public Map<String, Object> ready() {
    return ready;
  }

  /** What MLFLOW_TRACKING_URI has to be. */
  public String trackingUri() {
    return field("tracking_uri");
  }

  public String s3Endpoint() {
    return field("s3_endpoint");
  }

  public String staticUrl() {
    return field("static_url");
  }

  public String bucket() {
    return field("bucket");
  }

  public String accessKey() {
    return field("access_key");
  }

  public String secretKey() {
    return field("secret_key");
  }

  public String region() {
    return field("region");
  }

  private String field(String name) {
    return String.valueOf(ready.get(name));
  }

  /** The variables that MLflow's clients and the AWS SDKs read. */
  public Map<String, String> env() {
    Map<String, String> env = new LinkedHashMap<>();
    env.put("MLFLOW_TRACKING_URI", trackingUri());
    env.put("MLFLOW_S3_ENDPOINT_URL", s3Endpoint());
    env.put("AWS_ACCESS_KEY_ID", accessKey());
    env.put("AWS_SECRET_ACCESS_KEY", secretKey());
    env.put("AWS_DEFAULT_REGION", region());
    env.put("AWS_ENDPOINT_URL_S3", s3Endpoint());
    env.put("PRINZBOX_STATIC_URL", staticUrl());
    env.put("PRINZBOX_BUCKET", bucket());
    return env;
  }

  /** An environment of its own in the same process, made at first use, under a new name. */
  public Namespace namespace() {
    return namespace("t-" + UUID.randomUUID().toString().replace("-", "").substring(0, 16));
  }

  /** The environment of that name in the same process, made at first use. A name has up to 63 lower-case letters, digits and inner dashes. */
  public Namespace namespace(String name) {
    return new Namespace(this, name);
  }

  /**
   * Calls the control API: {@code control("PUT", "/clock", Map.of("freeze", "now"))}; GET /openapi.json lists its operations.
   *
   * @param body of maps, lists, texts, numbers and the like; null sends none
   * @return the answer in the same types, whole numbers as Long and others as Double; null where there is none
   * @throws PrinzboxException with the status and the text of a refusal
   */
  public Object control(String method, String route, Object body) {
    String url = trackingUri() + "/api/prinzbox" + route;
    HttpRequest.BodyPublisher sent = body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(Json.write(body));
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(60)).header("Content-Type", "application/json").method(method, sent).build();
    HttpResponse<String> response;
    try {
      response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new PrinzboxException(method + " " + url + ": " + e, 0, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PrinzboxException(method + " " + url + ": interrupted", 0, e);
    }
    if (response.statusCode() / 100 != 2) {
      throw new PrinzboxException(method + " " + url + ": status " + response.statusCode() + ": " + response.body(), response.statusCode(), null);
    }
    try {
      return response.body().isEmpty() ? null : Json.parse(response.body());
    } catch (IllegalArgumentException e) {
      throw new PrinzboxException(method + " " + url + ": " + e.getMessage() + ": " + response.body(), response.statusCode(), e);
    }
  }

  /** How the environment is. */
  public Map<String, Object> status() {
    return map(control("GET", "/status", null));
  }

  /** Goes to a fresh state: the one that the environment began with. */
  public void reset() {
    reset("");
  }

  /** Goes to a fresh state: "empty" or "seeded". */
  public void reset(String to) {
    control("POST", "/reset", Map.of("to", to));
  }

  /** Keeps the state of now under a name. */
  public void snapshot(String name) {
    control("PUT", "/snapshots/" + escape(name), null);
  }

  /** Goes back to a snapshot. */
  public void restore(String name) {
    control("POST", "/snapshots/" + escape(name) + "/restore", null);
  }

  /** Adds a fault rule: {@code fault(Map.of("match", Map.of("operation", "runs/*"), "error", Map.of("status", 503)))}. */
  public Map<String, Object> fault(Map<String, ?> rule) {
    return map(control("POST", "/faults", rule));
  }

  /** Removes all fault rules. */
  public void clearFaults() {
    control("DELETE", "/faults", null);
  }

  /** Registers a version of a model that answers as told, {@code stub("price", Map.of("answer", 9.99))}, and gives its number. */
  public String stub(String model, Map<String, ?> stub) {
    return String.valueOf(map(control("POST", "/stubs/" + escape(model), stub)).get("version"));
  }

  /** What was asked and answered: {@code calls(Map.of("operation", "runs/create"))}. The newest come first. */
  @SuppressWarnings("unchecked") // the control API's document says so
  public List<Map<String, Object>> calls(Map<String, ?> query) {
    return (List<Map<String, Object>>) map(control("GET", "/calls" + escape(query), null)).get("calls");
  }

  /** How many calls match. */
  public long count(Map<String, ?> query) {
    return ((Number) map(control("GET", "/calls/count" + escape(query), null)).get("count")).longValue();
  }

  /** The S3 keys, as BUCKET/KEY, of the calls that match. */
  @SuppressWarnings("unchecked") // the control API's document says so
  public List<String> keys(Map<String, ?> query) {
    return (List<String>) map(control("GET", "/calls/keys" + escape(query), null)).get("keys");
  }

  /** Fails unless a matching call came. */
  public void assertCalled(Map<String, ?> query) {
    assertCalled(-1, query);
  }

  /** Fails unless exactly so many matching calls came. */
  public void assertCalled(int times, Map<String, ?> query) {
    long found = count(query);
    if (found == times || times < 0 && found > 0) {
      return;
    }
    StringBuilder last = new StringBuilder();
    for (Map<String, Object> call : calls(Map.of("limit", 10))) {
      last.append(String.format("%n  %s %s -> %s", call.get("method"), call.get("path"), call.get("status")));
    }
    String wanted = times < 0 ? "at least one call" : times + " calls";
    throw new AssertionError("wanted " + wanted + " with " + query + ", got " + found + "; the last calls:" + (last.length() == 0 ? " none" : last));
  }

  @SuppressWarnings("unchecked") // JSON's keys are texts
  private static Map<String, Object> map(Object answer) {
    return (Map<String, Object>) answer;
  }

  static String escape(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private static String escape(Map<String, ?> query) {
    StringBuilder out = new StringBuilder();
    query.forEach((name, value) -> out.append(out.length() == 0 ? '?' : '&').append(escape(name)).append('=').append(escape(String.valueOf(value))));
    return out.toString();
  }
}
