//! Circles in a graph.

use std::collections::{BTreeSet, VecDeque};

/// One shortest circle of every group of nodes that reach each other; a circle ends with the node it starts with.
pub(crate) fn find(edges: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..edges.len() {
        if seen.contains(&start) {
            continue;
        }
        if let Some(circle) = shortest(edges, start) {
            seen.extend(circle.iter().copied());
            found.push(circle);
        }
    }
    found
}

/// The shortest way from a node back to itself.
fn shortest(edges: &[BTreeSet<usize>], start: usize) -> Option<Vec<usize>> {
    let mut came_from = vec![None; edges.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in &edges[node] {
            if *next == start {
                let mut circle = vec![start, node];
                let mut at = node;
                while at != start {
                    at = came_from[at]?;
                    circle.push(at);
                }
                circle.reverse();
                if node == start {
                    circle.truncate(2);
                }
                return Some(circle);
            }
            if came_from[*next].is_none() {
                came_from[*next] = Some(node);
                queue.push_back(*next);
            }
        }
    }
    None
}
