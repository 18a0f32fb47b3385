import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.mlflow.api.proto.ModelRegistry.ModelVersion;
import org.mlflow.api.proto.Service.CreateExperiment;
import org.mlflow.api.proto.Service.ExperimentTag;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.Param;
import org.mlflow.api.proto.Service.Run;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunStatus;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.api.proto.Service.ViewType;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowClientException;
import org.mlflow.tracking.Page;

/** What the Java clients of every release do alike. */
final class Common {
  private Common() {}

  static void equal(Object got, Object want, String what) {
    if (!Objects.equals(got, want)) {
      throw new AssertionError(what + ": " + got + ", not " + want);
    }
  }

  /** The call must fail with a message that holds text. */
  static void refused(Runnable call, String text) {
    try {
      call.run();
    } catch (MlflowClientException e) {
      if (!e.getMessage().contains(text)) {
        throw new AssertionError("refused with " + e.getMessage() + ", without " + text);
      }
      return;
    }
    throw new AssertionError("not refused, should be with " + text);
  }

  /** The experiment's id; it is alive, and named name, when this returns. */
  static String experiments(MlflowClient client, String name) {
    String id = client.createExperiment(name + " at first");
    refused(() -> client.createExperiment(name + " at first"), "RESOURCE_ALREADY_EXISTS");
    client.setExperimentTag(id, "team", "größe");
    client.renameExperiment(id, name);
    equal(client.getExperimentByName(name).get().getExperimentId(), id, "id by name");
    equal(client.getExperimentByName(name + " at first"), Optional.empty(), "the old name");
    String other = client.createExperiment(CreateExperiment.newBuilder().setName(name + " other")
        .addTags(ExperimentTag.newBuilder().setKey("k").setValue("v")).build());
    client.deleteExperiment(other);
    refused(() -> client.createRun(other), "deleted");
    client.restoreExperiment(other);
    client.createRun(other);
    return id;
  }

  static Metric metric(String key, double value, long timestamp, long step) {
    return Metric.newBuilder().setKey(key).setValue(value).setTimestamp(timestamp).setStep(step).build();
  }

  static void runs(MlflowClient client, String experiment) {
    RunInfo info = client.createRun(experiment);
    String id = info.getRunId();
    equal(info.getRunUuid(), id, "run_uuid");
    equal(info.getStatus(), RunStatus.RUNNING, "status of a new run");
    equal(info.getExperimentId(), experiment, "experiment of a new run");

    client.logParam(id, "alpha", "0.5");
    client.logParam(id, "alpha", "0.5");
    refused(() -> client.logParam(id, "alpha", "0.6"), "INVALID_PARAMETER_VALUE");
    client.logMetric(id, "loss", 0.25);
    for (int step = 0; step < 5; step++) {
      client.logMetric(id, "rmse", 1.0 / (1 + step), 1700000000000L + step, step);
    }
    client.logMetric(id, "odd", Double.NaN, 1700000000000L, 0);
    client.logMetric(id, "odd", Double.POSITIVE_INFINITY, 1700000000001L, 1);
    client.logMetric(id, "odd", Double.NEGATIVE_INFINITY, 1700000000002L, 2);
    client.setTag(id, "colour", "rot");
    client.setTag(id, "colour", "größer");
    client.setTag(id, "gone", "soon");
    client.deleteTag(id, "gone");
    client.logBatch(id,
        Arrays.asList(metric("f1", 0.75, 1700000000000L, 9007199254740993L), metric("f1", 0.5, 1700000000000L, -3)),
        Collections.singletonList(Param.newBuilder().setKey("beta").setValue("").build()),
        Collections.singletonList(RunTag.newBuilder().setKey("batch").setValue("yes").build()));
    client.logBatch(id, null, null, null);

    Run run = client.getRun(id);
    Set<String> params = new HashSet<>();
    run.getData().getParamsList().forEach(p -> params.add(p.getKey() + "=" + p.getValue()));
    equal(params, new HashSet<>(Arrays.asList("alpha=0.5", "beta=")), "params");
    Set<String> tags = new HashSet<>();
    run.getData().getTagsList().forEach(t -> tags.add(t.getKey() + "=" + t.getValue()));
    equal(tags.containsAll(Arrays.asList("colour=größer", "batch=yes")), true, "tags " + tags);
    equal(tags.contains("gone=soon"), false, "deleted tag");
    Set<String> metrics = new HashSet<>();
    run.getData().getMetricsList().forEach(m -> metrics.add(m.getKey() + "=" + m.getValue() + "@" + m.getStep()));
    // MLflow stores infinities as the largest numbers there are.
    equal(metrics, new HashSet<>(Arrays.asList("loss=0.25@0", "rmse=0.2@4", "odd=" + -Double.MAX_VALUE + "@2", "f1=0.75@9007199254740993")), "last metrics");

    List<Metric> history = client.getMetricHistory(id, "rmse");
    equal(history.size(), 5, "points of rmse");
    for (int step = 0; step < 5; step++) {
      equal(history.get(step), metric("rmse", 1.0 / (1 + step), 1700000000000L + step, step), "point " + step);
    }
    List<Metric> odd = client.getMetricHistory(id, "odd");
    equal(odd.size(), 3, "points of odd");
    equal(Double.isNaN(odd.get(0).getValue()), true, "NaN " + odd.get(0).getValue());
    equal(odd.get(1).getValue(), Double.MAX_VALUE, "infinity");
    equal(client.getMetricHistory(id, "none").size(), 0, "points of none");

    client.setTerminated(id, RunStatus.FAILED, 1700000009999L);
    equal(client.getRun(id).getInfo().getEndTime(), 1700000009999L, "end time");
    equal(client.getRun(id).getInfo().getStatus(), RunStatus.FAILED, "status");
    client.setTerminated(id);
    equal(client.getRun(id).getInfo().getStatus(), RunStatus.FINISHED, "status");

    client.deleteRun(id);
    refused(() -> client.logMetric(id, "late", 1), "INVALID_PARAMETER_VALUE");
    equal(client.getRun(id).getInfo().getLifecycleStage(), "deleted", "stage");
    client.restoreRun(id);
    equal(client.getRun(id).getInfo().getLifecycleStage(), "active", "stage");
    refused(() -> client.getRun("0123456789abcdef0123456789abcdef"), "RESOURCE_DOES_NOT_EXIST");
  }

  static void searches(MlflowClient client, String experiment) {
    List<String> want = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      String id = client.createRun(experiment).getRunId();
      client.logMetric(id, "score", i);
      client.logParam(id, "kind", i % 2 == 0 ? "even" : "odd");
      if (i % 2 == 0) {
        want.add(0, id);
      }
    }
    List<String> ids = Collections.singletonList(experiment);
    List<String> order = Collections.singletonList("metrics.score DESC");
    Page<Run> page = client.searchRuns(ids, "metrics.score >= 0 and params.kind = 'even'", ViewType.ACTIVE_ONLY, 3, order);
    List<String> got = new ArrayList<>();
    for (int pages = 1; ; pages++) {
      page.getItems().forEach(r -> got.add(r.getInfo().getRunId()));
      if (!page.hasNextPage()) {
        equal(pages, 2, "pages");
        break;
      }
      page = page.getNextPage();
    }
    equal(got, want, "runs found");

    client.deleteRun(want.get(0));
    equal(client.searchRuns(ids, "", ViewType.DELETED_ONLY, 10).getItems().size(), 1, "deleted runs");
    equal(client.listRunInfos(experiment).size(), 7, "active runs"); // of eight: one came from runs()
    equal(client.searchRuns(ids, null, ViewType.ALL).size(), 8, "all runs");
    refused(() -> client.searchRuns(ids, "metrics.score !! 3"), "INVALID_PARAMETER_VALUE");
  }

  /** Makes a model of three versions by the calls for which the client has no methods. */
  static void models(MlflowClient client, String experiment, String name) {
    client.sendPost("registered-models/create", "{\"name\": \"" + name + "\", \"description\": \"von Java\", \"tags\": [{\"key\": \"k\", \"value\": \"v\"}]}");
    RunInfo run = client.createRun(experiment);
    for (int i = 1; i <= 3; i++) {
      client.sendPost("model-versions/create", "{\"name\": \"" + name + "\", \"source\": \"" + run.getArtifactUri() + "/model" + i + "\", \"run_id\": \"" + run.getRunId() + "\"}");
    }
    client.sendPost("model-versions/transition-stage", "{\"name\": \"" + name + "\", \"version\": \"2\", \"stage\": \"Staging\", \"archive_existing_versions\": false}");
    client.sendPatch("model-versions/update", "{\"name\": \"" + name + "\", \"version\": \"3\", \"description\": \"die dritte\"}");

    Set<String> latest = new HashSet<>();
    for (ModelVersion v : client.getLatestVersions(name)) {
      latest.add(v.getCurrentStage() + " " + v.getVersion());
      equal(v.getRunId(), run.getRunId(), "run of " + v.getVersion());
    }
    equal(latest, new HashSet<>(Arrays.asList("None 3", "Staging 2")), "latest versions");
    List<ModelVersion> staging = client.getLatestVersions(name, Collections.singletonList("Staging"));
    equal(staging.size(), 1, "staging versions");
    equal(staging.get(0).getVersion(), "2", "staging version");
    equal(client.getModelVersionDownloadUri(name, "1"), run.getArtifactUri() + "/model1", "download URI");
    refused(() -> client.getModelVersionDownloadUri(name, "9"), "RESOURCE_DOES_NOT_EXIST");
    refused(() -> client.getLatestVersions(name + " of nobody"), "RESOURCE_DOES_NOT_EXIST");
    equal(client.sendGet("registered-models/get?name=" + name).contains("von Java"), true, "sendGet");
  }
}
