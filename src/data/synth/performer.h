// The dancers: random bodies and clothes, a skeleton posed by six angles, and its limbs as strokes.
#pragma once

#include <vector>

#include "core/rng.h"
#include "data/synth/canvas.h"
#include "data/synth/choreography.h"

namespace laban::synth {

/// Proportions in meters and clothes; nothing here knows which dance is danced.
struct Body {
  float height, build;  // build scales the limbs' thickness, about 1
  float leg_fraction;   // of the height
  bool skirt;
  float skirt_length, skirt_flare;  // fraction of the leg, meters at the hem
  float bun;                        // radius of a bun or ponytail as a fraction of the head's, 0: none
  bool long_sleeves, long_trousers;
  Color skin, hair, top, top_back, bottom, shoes;
};
Body draw_body(Rng& rng);

/// The size of a clip's movements, and small habits. Drawn from the same distributions for every dance.
struct Manner {
  float stride, lift;       // fractions of the height
  float plie;               // fraction of the leg
  float hips, lean;         // fraction of the height, radians
  float arm_low, arm_high;  // radians from the horizontal
  float arm_lag;            // the right arm's angle behind the left's, radians
  float stoop;              // forward lean, radians
};
Manner draw_manner(Rng& rng);

/// Joints in world meters.
struct Skeleton {
  Vec3 facing, left;  // unit, on the floor plane
  Vec3 pelvis, waist, neck, head;
  Vec3 hip[2], knee[2], ankle[2], toe[2];  // 0: left, 1: right
  Vec3 shoulder[2], elbow[2], hand[2];
};

/// A solo dancer with free arms. `place` is the point on the floor below the pelvis.
Skeleton pose_solo(const Body& body, const Manner& manner, const PartAngles& angles, Vec3 place);

/// A couple in hold, `apart` meters from each other, turning about `place` between them; the joined hands
/// follow the arms' angle. The follower mirrors the leader's steps.
std::pair<Skeleton, Skeleton> pose_couple(const Body& leader, const Body& follower, const Manner& manner,
                                          const PartAngles& angles, Vec3 place, float apart);

/// Adds the dancer's limbs and clothes, as `camera` sees them.
void add_strokes(const Body& body, const Skeleton& skeleton, float turn, const Camera& camera,
                 std::vector<Stroke>& strokes);

}  // namespace laban::synth
