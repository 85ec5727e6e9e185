package millrace.bench;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.Optional;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.api.java.function.Function3;
import org.apache.spark.streaming.State;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.dstream.ConstantInputDStream;
import scala.Tuple2;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * Keyed state, as bench/programs/keyed-state.ts: `keys` keys from an initial RDD; each batch brings `updates` pairs (key, 1) with
 * distinct random keys, made inside of the tasks; updateStateByKey counts all keys, mapWithState what its function has returned.
 */
final class StatePrograms {
  private final int keys;
  private final int updates;
  private final int partitions;

  StatePrograms(int keys, int updates, int partitions) {
    this.keys = keys;
    this.updates = updates;
    this.partitions = partitions;
  }

  void updateStateByKey(JavaStreamingContext context) {
    Function2<List<Long>, Optional<Long>, Optional<Long>> add = (values, state) -> {
      long sum = state.orElse(0L);
      for (long value : values) sum += value;
      return Optional.of(sum);
    };
    updatesOf(context).updateStateByKey(add, new HashPartitioner(partitions), initial(context))
        .foreachRDD((states, time) -> SparkPeer.emitOutput(time, states.count()));
  }

  void mapWithState(JavaStreamingContext context) {
    Function3<String, Optional<Long>, State<Long>, Tuple2<String, Long>> add = (key, value, state) -> {
      long sum = (state.exists() ? state.get() : 0L) + value.orElse(0L);
      state.update(sum);
      return new Tuple2<>(key, sum);
    };
    updatesOf(context).mapWithState(StateSpec.function(add).initialState(initial(context)).numPartitions(partitions))
        .foreachRDD((mapped, time) -> SparkPeer.emitOutput(time, mapped.count()));
  }

  /** Words counted from the beginning on; each batch's whole state comes to the driver. It must not hold on to this class's objects: it is written into checkpoints. */
  static void runningCount(JavaPairDStream<String, Long> words, int partitions) {
    Function2<List<Long>, Optional<Long>, Optional<Long>> add = (values, state) -> {
      long sum = state.orElse(0L);
      for (long value : values) sum += value;
      return Optional.of(sum);
    };
    words.updateStateByKey(add, partitions).foreachRDD((states, time) -> {
      List<Tuple2<String, Long>> all = states.collect();
      long sum = 0;
      for (Tuple2<String, Long> pair : all) sum += pair._2;
      SparkPeer.emitState(time, all.size(), sum);
    });
  }

  private JavaPairDStream<String, Long> updatesOf(JavaStreamingContext context) {
    final int keys = this.keys, updates = this.updates, partitions = this.partitions;
    JavaRDD<Integer> seeds = partitionNumbers(context.sparkContext());
    ClassTag<Integer> tag = ClassTag$.MODULE$.apply(Integer.class);
    JavaDStream<Integer> constant = new JavaDStream<>(new ConstantInputDStream<Integer>(context.ssc(), seeds.rdd(), tag), tag);
    return constant.transformToPair((rdd, time) -> {
      final long ms = time.milliseconds();
      return rdd.mapPartitionsToPair(numbers -> {
        int partition = numbers.next();
        SplittableRandom random = new SplittableRandom(ms * 31 + partition);
        HashSet<Integer> drawn = new HashSet<>();
        while (drawn.size() < updates / partitions) drawn.add(random.nextInt(keys / partitions) * partitions + partition);
        List<Tuple2<String, Long>> pairs = new ArrayList<>(drawn.size());
        for (int key : drawn) pairs.add(new Tuple2<>("k" + key, 1L));
        return pairs.iterator();
      });
    });
  }

  private JavaPairRDD<String, Long> initial(JavaStreamingContext context) {
    final int keys = this.keys, partitions = this.partitions;
    return partitionNumbers(context.sparkContext()).flatMapToPair(partition ->
        IntStream.range(0, keys / partitions).mapToObj(key -> new Tuple2<>("k" + (key * partitions + partition), 1L)).iterator());
  }

  private JavaRDD<Integer> partitionNumbers(JavaSparkContext context) {
    return context.parallelize(IntStream.range(0, partitions).boxed().toList(), partitions);
  }
}
